// Workers import a module that was compiled when they were deployed.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
