// Package script reads and bundles the JavaScript of transformations: it finds
// mistakes of syntax, imports and exports with their line and column, and turns
// a module with the libraries that it imports into one self-contained text.
//
// The code is a customer's and may be made to harm whoever reads it, so a Compiler
// gives it to processes of their own (weir/shared/worker), which run the bundler
// (package bundle) under limits of processor time and memory. What a process does
// not survive is refused as CodeTooComplex. Before anything is read its size is
// checked, on every path alike. Results are kept by digest, so that what was
// compiled for a difference is not compiled again to apply it, and of a new
// revision only what changed.
//
// It refuses code that imports what is neither a library nor built in (package
// builtin), and that exports neither or
// both of transformEvent and transformBatch. It runs none of the code and reads no
// file. It guarantees that equal input gives equal bundles.
package script
