// Package pulls measures sources whose rows are pulled: how fast the rows of a tool, which
// answers at once, come into a warehouse, and what they cost events that come in meanwhile.
package pulls
