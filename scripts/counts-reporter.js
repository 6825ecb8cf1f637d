// A vitest reporter beside the one for people: leaves the counts of the run in the file that SALLYPORT_TEST_COUNTS names.
import { writeFileSync } from 'node:fs';

export default class CountsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: 0, skipped: 0, errors: unhandledErrors.length };
    for (const module of modules) {
      // A file that fails before its first test (a wrong import, a failed beforeAll) counts as one failure.
      if (module.errors().length > 0) counts.errors++;
      for (const suite of module.children.allSuites()) counts.errors += suite.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === 'passed' || state === 'failed' ? state : 'skipped']++;
      }
    }
    const file = process.env.SALLYPORT_TEST_COUNTS;
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
  }
}
