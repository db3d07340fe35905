// Package stage writes the rows of one load as Parquet files of a blob store, from
// which a warehouse merges them.
//
// It guarantees that every value is in a file as it was in the row, that a column
// of one file has the narrowest Parquet type that holds all its values, and that
// its memory does not grow with the load.
package stage
