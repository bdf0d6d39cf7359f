// What a topic holds, from where it is kept: a packed block of this file, or the server of the view.

const BLOCKS_KEPT = 12;
const unpacked = new Map();

/** The detail of a topic in a run. */
async function detailOf(row, number) {
  if (data.live) {
    const answer = await asked(`${data.runs[number].base}topic/${row.cells[number].order}`);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
  const place = row.places[number];
  const block = await blockOf(`block-${number}-${Math.floor(place / data.topics_a_block)}`);
  return block[place % data.topics_a_block];
}

async function blockOf(name) {
  if (!unpacked.has(name)) {
    unpacked.set(name, unpack(name));
    if (unpacked.size > BLOCKS_KEPT) unpacked.delete(unpacked.keys().next().value);
  }
  return unpacked.get(name);
}

async function unpack(name) {
  await arrived(name);
  const element = byId(name);
  if (!element) throw new Error("the file is not whole");
  const packed = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** A block is whole when something comes after it: the file may still be read. */
function arrived(name) {
  return new Promise((done) => {
    const look = () => {
      if (byId(name)?.nextElementSibling || document.readyState !== "loading") done();
      else setTimeout(look, 50);
    };
    look();
  });
}
