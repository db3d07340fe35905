package preview

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/dataplane/preview"
	"weir/infra/weir/cli/console"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/script"
)

// maxBatch is how many events of stdin run together, at most.
const maxBatch = 100

func newTransform(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var files, libraries []string
	cmd := &cobra.Command{
		Use:   "transform -f CODE.js",
		Short: "Print what transformations make of events",
		Long: `Reads events from stdin, one JSON object a line, runs the code over them, and
prints a line for each:

  {"messageId","events":[...],"logs":[...],"error":{"code","message"}|null}

An event that the code drops has no events and no error. Several -f form a
chain. The code runs as a data plane runs it, in a worker process with its
limits; no server is asked.`,
		Example: `  weir preview transform -f mask.js < events.jsonl
  weir preview transform -f first.js -f second.js --library strings=lib/strings.js < events.jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return command.Usage("-f CODE.js is missing")
			}
			var scripts, shared []script.File
			for _, f := range files {
				code, err := readCode(f)
				if err != nil {
					return err
				}
				scripts = append(scripts, script.File{Name: filepath.Base(f), Code: code})
			}
			for _, l := range libraries {
				name, file, ok := strings.Cut(l, "=")
				if !ok || name == "" || file == "" {
					return command.Usage("--library %q is not NAME=FILE", l)
				}
				code, err := readCode(file)
				if err != nil {
					return err
				}
				shared = append(shared, script.File{Name: name, Code: code})
			}
			return k.transform(cmd.Context(), scripts, shared, k.Lines(cmd))
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "file with the code of a transformation; several form a chain")
	cmd.Flags().StringArrayVar(&libraries, "library", nil, "NAME=FILE of a library that the code imports")
	return cmd
}

// readCode reads a file of code.
func readCode(name string) (string, error) {
	in, err := console.OpenFile(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, script.MaxCode+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > script.MaxCode {
		return "", fault.New(fault.Invalid, "%s is over %d KiB", name, script.MaxCode>>10)
	}
	return string(text), nil
}

func (k invocation) transform(ctx context.Context, scripts, libraries []script.File, out *console.Lines) (err error) {
	opened, err := preview.OpenTransformation(ctx, script.NewCompiler(script.Config{}), scripts, libraries)
	if err != nil {
		return fmt.Errorf("preview transform: %w", err)
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return eachBatch(ctx, k.In, func(batch [][]byte) error {
		outcomes, err := opened.Apply(ctx, batch, time.Now().UTC())
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if err := out.PrintValue(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachBatch calls do with the lines of in, as many at a time as are there
// already: a person who types sees each answer at once.
func eachBatch(ctx context.Context, in io.Reader, do func([][]byte) error) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	var batch [][]byte
	for n := 1; ; n++ {
		line, err := readLine(lines, n)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			batch = append(batch, line)
		}
		if end := err != nil; len(batch) > 0 && (end || len(batch) == maxBatch || lines.Buffered() == 0) {
			if err := errors.Join(ctx.Err(), do(batch)); err != nil {
				return err
			}
			batch = nil
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads line n, a copy, with io.EOF after the last one.
func readLine(in *bufio.Reader, n int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, fault.New(fault.Invalid, "line %d of stdin is over %d MiB", n, maxLine>>20)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read line %d of stdin: %w", n, err)
		}
		return line, err
	}
}
