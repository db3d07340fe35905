// Package fresh measures how soon events are rows of warehouses that are loaded every two
// seconds.
package fresh
