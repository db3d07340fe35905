// Package preview shows what would become of events, by the code that delivers,
// transforms and loads them: requests to a destination, outcomes of
// transformations, rows of a warehouse. Nothing is sent or kept.
package preview
