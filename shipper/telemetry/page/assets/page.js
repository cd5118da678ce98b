"use strict";
// Renews the page in place. Without this script all is there, and a reload renews it.
(() => {
  const everyMs = 5000;
  const patienceMs = 10000;
  const lost = document.getElementById("lost");
  let answeredAt = new Date();
  let timer = 0;

  // What the reader has unfolded stays so, and where the keyboard is, too.
  function keepUnfolded(shown, fresh) {
    for (const each of shown.querySelectorAll("details[open]")) {
      const same = fresh.querySelector(`#${each.id}`);
      if (same) same.open = true;
    }
  }

  function isBeingRead(shown) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(shown, true);
  }

  function exchange(shown, fresh) {
    keepUnfolded(shown, fresh);
    if (shown.isEqualNode(fresh) || isBeingRead(shown)) return;
    const focused = shown.contains(document.activeElement) && document.activeElement.closest("details");
    shown.replaceWith(fresh);
    if (focused) document.querySelector(`#${focused.id} > summary`)?.focus({ preventScroll: true });
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    if (next.querySelector("style")?.textContent !== document.querySelector("style").textContent) {
      location.reload(); // another version answers
      return;
    }
    document.title = next.title;
    document.getElementById("icon").href = next.getElementById("icon").href;
    const said = document.getElementById("said");
    const word = next.getElementById("said").textContent;
    if (said.textContent !== word) said.textContent = word;
    for (const fresh of next.querySelectorAll("[data-live]")) {
      const shown = document.getElementById(fresh.id);
      if (shown) exchange(shown, fresh);
    }
  }

  function tell(isLost) {
    const since = answeredAt.toISOString().slice(11, 19);
    lost.textContent = isLost ? `No answer from the shipper since ${since} UTC. What stands here is old.` : "";
    lost.hidden = !isLost;
    document.body.classList.toggle("old", isLost);
  }

  async function renew() {
    clearTimeout(timer);
    try {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(patienceMs) });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.text());
      answeredAt = new Date();
      tell(false);
    } catch {
      tell(true);
    }
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(renew, everyMs);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) renew();
  });
  timer = setTimeout(renew, everyMs);
})();
