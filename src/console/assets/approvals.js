// Approvals: the list is drawn anew when something changes anywhere, but never under the hands of somebody who is typing.

export function startRefresh() {
  let place = document.querySelector('[data-refresh]');
  if (!(place instanceof HTMLElement)) return;
  let late = false;

  const busy = () => {
    const main = document.getElementById('main');
    const focused = document.activeElement;
    if (focused instanceof HTMLElement && focused.matches('input, select, textarea') && main?.contains(focused))
      return true;
    return [...(main?.querySelectorAll('.decide input:not([type=hidden])') ?? [])].some((input) => input.value !== '');
  };

  const redraw = async () => {
    if (busy()) {
      late = true;
      if (place !== null) place.textContent = 'The list has changed; it is drawn anew when you are done.';
      return;
    }
    late = false;
    const url = new URL(location.href);
    // What was done is said once.
    url.searchParams.delete('done');
    const answer = await fetch(url, { headers: { accept: 'text/html' } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const selector of ['main', '.side nav']) {
      const now = fresh.querySelector(selector);
      const old = document.querySelector(selector);
      if (now !== null && old !== null) old.replaceChildren(...now.childNodes);
    }
    place = document.querySelector('[data-refresh]');
  };

  const source = new EventSource(place.dataset.refresh);
  source.addEventListener('changed', () => redraw().catch(() => undefined));
  document.addEventListener('focusout', () => {
    if (late) setTimeout(() => redraw().catch(() => undefined), 200);
  });
}
