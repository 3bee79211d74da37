// Sets the remembered theme before the first paint. A plain script, because
// modules run too late for that.
(() => {
  let theme = "auto";
  try {
    theme = JSON.parse(localStorage.getItem("aside.theme")) ?? "auto";
  } catch {
    // no storage: follow the system
  }
  document.documentElement.dataset.theme = theme;
})();
