// The window in which an agent signs in for the tab in Chatwoot. There, in a frame of
// another site, browsers keep cookies back; here it is our own page. The token goes
// to the window that opened this one, if that is ours, and only on a click.

const by = (id) => document.getElementById(id);

async function start() {
  if (!opener) return (by("why").textContent = "Open this from the Aside tab in Chatwoot.");
  try {
    const res = await fetch("/v1/session", { headers: { Accept: "application/json" }, cache: "no-store" });
    if (res.ok) {
      const s = await res.json();
      by("why").textContent = `You are signed in to Aside as ${s.name || s.sub}.`;
      by("signin").hidden = false;
      by("signin").focus();
      by("signin").onclick = () => {
        opener.postMessage({ asideToken: s.token }, location.origin);
        close();
      };
      return;
    }
    by("why").textContent = "You are not signed in to Aside.";
    by("console").hidden = false;
  } catch {
    by("why").textContent = "Aside cannot be reached. Close this window and try again.";
  }
}

start();
