// Package rows measures the whole way into a warehouse: from the first request of many
// events until the last of them is a row.
package rows
