// Command controlplane runs the control plane alone: the binary of its image.
package main

import (
	"context"
	"os"

	role "weir/controlplane/command"
	"weir/shared/command"
)

// version is the release, set by the linker.
var version = "0.1.0"

func main() {
	p := command.Process{Program: role.Role, Version: version}.Complete()
	os.Exit(p.Run(context.Background(), role.New(p), os.Args[1:]))
}
