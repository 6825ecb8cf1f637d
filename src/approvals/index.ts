// The room of just-in-time access: held statements, grants, revocations, the registry of sessions, and notifications.
export { createApprovals } from './approvals.ts';
export { type GrantEndpointParts, grantEndpoint } from './endpoint.ts';
export { requestableRoles } from './grants.ts';
export { signature } from './notify.ts';
export { nameOf } from './people.ts';
export { describeRevoked } from './revocations.ts';
export { gatewayName } from './sessions.ts';
export type * from './types.ts';
