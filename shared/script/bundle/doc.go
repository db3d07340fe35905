// Package bundle reads and bundles code with esbuild, for script.Compiler. It
// recurses over what a customer wrote, without a bound of time, memory or stack:
// only a worker process may run it, and tests.
package bundle
