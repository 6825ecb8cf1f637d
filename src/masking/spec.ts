// What a mask is, as the configuration names it: plain data shared by config, policy and the planners of this room.

export type MaskSpec =
  | { readonly kind: 'redact' }
  | { readonly kind: 'null' }
  | { readonly kind: 'keep-last'; readonly count: number }
  | { readonly kind: 'keep-first'; readonly count: number }
  | { readonly kind: 'email' }
  | { readonly kind: 'hash' }
  | { readonly kind: 'year' }
  | { readonly kind: 'round'; readonly to: number }
  | { readonly kind: 'fake'; readonly of: 'name' | 'phone' | 'address' }
  | { readonly kind: 'paths'; readonly paths: readonly string[]; readonly inner: MaskSpec };
