// Package columns gives a warehouse's table the columns and types that staged rows
// need, and says where each value goes: into its column, beside it into the text
// sibling <name>__raw, or into __more where the table can have no further column.
//
// It refuses to narrow or drop anything.
package columns
