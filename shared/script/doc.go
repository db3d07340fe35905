// Package script reads and bundles the JavaScript of transformations: it finds
// mistakes of syntax, imports and exports with their line and column, and turns
// a module with the libraries that it imports into one self-contained text.
//
// It refuses code that imports what is not a library, that exports neither or
// both of transformEvent and transformBatch, and that nests deeper than a
// bundler can follow with bounded memory. It runs none of the code and reads no
// file. It guarantees that equal input gives equal bundles.
package script
