// A real Chromium for tests that drive the page, where the machine has one on its PATH.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium as driver } from 'playwright-core';

/** The program, or undefined where there is none: such tests are then left out, and `npm test` says so. */
export const chromium = ['chromium', 'chromium-browser', 'google-chrome']
  .flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export function openBrowser(): Promise<Browser> {
  // Chromium's own sandbox does not start for root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return driver.launch({ ...(chromium === undefined ? {} : { executablePath: chromium }), args });
}
