package command

import (
	"github.com/spf13/cobra"

	"weir/shared/worker"
)

// Worker returns the hidden command under which a program runs tasks in processes
// of its own.
func Worker(tasks worker.Tasks) *cobra.Command {
	return &cobra.Command{
		Use: worker.Command + " TASK", Hidden: true, Short: "Run a task for the process that started this one",
		RunE: func(_ *cobra.Command, args []string) error { return tasks.Serve(args[0]) },
	}
}
