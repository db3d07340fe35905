// Package layout turns an event into the rows of a warehouse: names, types and
// order of columns. It is pure: no clock but Meta.Now, no files, no network. What
// differs between kinds of warehouses is in the folder of each kind: see Read.
//
// There are two conventions. Both have the same tables and the same rules of names, types
// and nested values; RudderStack's is that of the files here, and Segment's differs:
//   - no channel, context_request_ip, context_passed_ip, context_source_* and
//     context_destination_* are made, and no record_id of tracks; properties and fields of
//     the context with these names are columns like others;
//   - a trait user_id is dropped, as each value with the name of a standard column is;
//   - the id of a row of users is always a string, as user_id is;
//   - objects are flattened without limit for every kind of source, letters and
//     violationErrors are objects and lists like others;
//   - there is no rudder_identity_merge_rules.
//
// Source of Segment's: https://segment.com/docs/connections/storage/warehouses/schema
//
// It refuses events that are no object, deeper than 128 levels, of more than
// 200 columns in most kinds, and names of more than 8 MiB together. Numbers keep their digits;
// a whole number is written without point or exponent.
//
// What a column cannot keep is in its sibling <name>__raw, a text: the JSON text
// of a string or list with NUL or a lone surrogate (the column has U+FFFD for
// them), a value whose name became that of a later one, and a time that is none.
// Of several values it is the list of their JSON texts. The stem is cut to the
// limit of names, and a name that is taken is numbered: <name>__raw_2.
//
// A name in another script than Latin, of which the layout's rules leave nothing, is
// transliterated and ends in a part of its sum: see name.Rules. So does, where
// another event has the name before, an event's name that is cut or loses letters.
//
// A trait dropped for a later set of traits, and a property with the name of a
// standard column, are not kept: the layout is defined so. Standard columns of
// text hold scalars; an object or list in their place has no column.
//
// Where the layout leaves room: the id of an extract's row is its recordId. The
// layout's own columns and tables are escaped as others are (_timestamp on S3's
// lake, _groups on BigQuery). Of a cloud source the objects at a.b.c are flattened and those at
// a.b.c.d are text. ClickHouse has arrays only with enableArraySupport. A value
// of a JSON path may be of any kind but null, "" and []; elsewhere {} has no
// column. merge is dropped.
package layout
