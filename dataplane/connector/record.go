package connector

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
)

// Bounds of the log of a run.
const (
	mostRecord = 1 << 20
	mostLine   = 16 << 10
	leastMask  = 4 // shorter secrets would mask everything
)

// record is the log of one run. The zero one keeps nothing.
type record struct {
	file *os.File
	mask *strings.Replacer
}

func newRecord(file *os.File, secrets []string) *record {
	for _, s := range slices.Clone(secrets) { // of a key in PEM each line, too
		secrets = append(secrets, strings.Split(s, "\n")...)
	}
	secrets = slices.Compact(slices.Sorted(slices.Values(secrets)))
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		if len(s) >= leastMask {
			pairs = append(pairs, s, "***")
		}
	}
	return &record{file, strings.NewReplacer(pairs...)}
}

// copy keeps what a connector says, line by line, up to the bound, and reads the rest too:
// nobody waits who writes.
func (r *record) copy(from io.Reader) {
	in := bufio.NewReaderSize(from, mostLine)
	written, cut := 0, false
	for {
		line, err := in.ReadSlice('\n')
		whole := err == nil
		// A line that is longer is kept up to there, so that no secret is cut in two and seen.
		if !cut && len(line) > 0 && r.file != nil && written < mostRecord {
			text := r.mask.Replace(string(bytes.ToValidUTF8(bytes.TrimRight(line, "\n"), []byte("?"))))
			if !whole && err == bufio.ErrBufferFull {
				text = text[:len(text)/2] + " …"
			}
			n, _ := r.file.WriteString(text + "\n") // a disk that is full keeps no log
			written += max(n, 1)
		}
		cut = !whole
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// Close closes the file.
func (r *record) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
