from infra.swift.configuration import Credentials
from infra.swift.server import SwiftServer

__all__ = ["Credentials", "SwiftServer"]
