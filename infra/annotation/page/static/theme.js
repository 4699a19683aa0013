/* Before anything is drawn: the colours that were chosen here, if any were. */
try {
  const chosen = localStorage.getItem("tso/theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  /* a browser that keeps nothing follows the system */
}
