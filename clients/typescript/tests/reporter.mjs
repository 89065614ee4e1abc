// Says which tests failed and why, and how many passed: a line each would hide both.

export default async function* report(events) {
  let passed = 0;
  let skipped = 0;
  for await (const { type, data } of events) {
    if (type === "test:pass" && data.nesting === 0) data.skip === undefined ? (passed += 1) : (skipped += 1);
    if (type === "test:fail") yield `failed: ${data.name}\n${data.details?.error?.cause?.stack ?? data.details?.error}\n`;
    if (type === "test:stderr") yield data.message;
  }
  yield `${passed} passed, ${skipped} skipped\n`;
}
