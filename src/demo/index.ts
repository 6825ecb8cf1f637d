// The demo's door.
export { type DemoGateway, type DemoOptions, type DemoParts, type DemoToken, runDemo } from './run.ts';
