// Sets the colour scheme before the first paint, so that a dark desk never flashes white. A file of its own, because
// the page's content security policy allows no inline script.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('afluente.scheme');
  } catch {
    // Storage may be forbidden; the system's scheme is then used.
  }
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
