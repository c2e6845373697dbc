// A reporter that says what failed, and the runner's own closing lines.

export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type === 'test:fail' && data.details?.error?.failureType !== 'subtestsFailed') {
      const error = data.details?.error?.cause ?? data.details?.error;
      yield `FAILED ${data.file ?? ''}: ${data.name}\n${error?.stack ?? error}\n\n`;
    } else if (type === 'test:stderr') {
      yield data.message;
    } else if (type === 'test:diagnostic') {
      yield `ℹ ${data.message}\n`;
    }
  }
}
