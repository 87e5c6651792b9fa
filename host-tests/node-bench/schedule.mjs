// Which context and flag is asked for next, and the reference hash.

const [LENGTH, PER_CONTEXT] = [8192, 100];

/** An endless list of [context, flag], fixed and without a pattern; 100 flags for each context. */
export function schedule(contexts, flags) {
  let state = 0x9e3779b9;
  const draw = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const list = [];
  let context = 0;
  for (let question = 0; question < LENGTH; question++) {
    if (question % PER_CONTEXT === 0) context = draw(contexts);
    list.push([context, draw(flags)]);
  }
  let at = 0;
  const next = () => list[at++ % LENGTH];
  next.fresh = () => list[(at = (at + PER_CONTEXT) % LENGTH)][0];
  return next;
}

/** murmur3_x86_32 of an ASCII text: flagd's bucketing hash and this run's reference loop. */
export function murmur3(text, seed) {
  let hash = seed;
  const blocks = text.length & ~3;
  const mix = (word) => Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  for (let at = 0; at < blocks; at += 4) {
    const word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8) | (text.charCodeAt(at + 2) << 16)
      | (text.charCodeAt(at + 3) << 24);
    hash = (Math.imul(rotate(hash ^ mix(word), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = text.length - 1; at >= blocks; at--) tail = (tail << 8) | text.charCodeAt(at);
  if (blocks < text.length) hash ^= mix(tail);
  hash ^= text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function rotate(word, bits) {
  return (word << bits) | (word >>> (32 - bits));
}
