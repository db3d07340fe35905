// Package load brings events from the STAGE logs into warehouses, a load at a
// time for each destination: manifest, Parquet files for each table, additive
// evolution of the schema, merge by id, manifest closed, cursor moved, STAGE purged.
// While a load is merged, the files of the next one are written: once there is more than
// one load takes, or the next one is due.
// To a destination without tables it writes the events as they are, in batches.
//
// It refuses to narrow or drop anything in a warehouse. It guarantees that a row
// is there once however often a load was repeated, that the newest write of an
// id wins, that no value is lost: one that does not fit its column widens it or
// goes to its text sibling <name>__raw, or into __more where a table can have no
// further column; that memory does not grow with the backlog; and that one
// destination that fails or hangs delays no other: workspaces share the slots of
// loads, and each step of a load has a deadline.
package load
