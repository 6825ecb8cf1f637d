// The lineage drawing: pointing at a column or an output shows its own lines alone.

export function startLineage() {
  for (const drawing of document.querySelectorAll('svg.lineage')) {
    for (const box of drawing.querySelectorAll('[data-box]')) {
      const [side, index] = box.dataset.box.split('-');
      box.addEventListener('pointerenter', () => {
        drawing.classList.add('picked');
        for (const link of drawing.querySelectorAll('.link')) link.classList.toggle('on', link.dataset[side] === index);
      });
      box.addEventListener('pointerleave', () => drawing.classList.remove('picked'));
    }
  }
}
