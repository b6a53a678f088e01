// Runs before anything else. A file of the page that does not come leaves it blank for good, so it is
// loaded anew, once a minute at most; what did come is still with the browser.

function reloadOnce() {
  const last = Number(sessionStorage.getItem("pilcrow-anew"));
  if (document.documentElement.dataset.pilcrow || Date.now() - last < 60_000) return;
  sessionStorage.setItem("pilcrow-anew", String(Date.now()));
  location.reload();
}

window.addEventListener("error", ({ target }) => {
  if (target instanceof Element && target.matches("script, link[rel=stylesheet], link[rel=modulepreload]")) reloadOnce();
}, true);
window.addEventListener("vite:preloadError", reloadOnce);
