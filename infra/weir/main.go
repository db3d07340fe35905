// Command weir is the whole product in one binary: the command line, and both
// planes for a laptop.
package main

import (
	"context"
	"os"

	"weir/infra/weir/cli"
	"weir/shared/command"
)

// version is the release, set by the linker.
var version = "0.1.0"

func main() {
	os.Exit(cli.Run(context.Background(), command.Process{Version: version}, os.Args[1:]))
}
