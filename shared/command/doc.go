// Package command is what every program of Weir does around its commands: exit
// codes, signals, errors as people read them, flags from the environment, the
// logger, the collector of traces and the bound of memory. The commands of the
// planes are built on it, so that a plane runs alike in its own image and as part
// of the binary `weir`.
package command
