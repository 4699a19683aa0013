from infra.swift.server import Credentials, SwiftServer

__all__ = ["Credentials", "SwiftServer"]
