// libpg-query ships its WebAssembly loader without types.
declare module 'libpg-query/wasm/libpg-query.js' {
  const create: (options: object) => Promise<unknown>;
  export default create;
}
