package command

import (
	"math"
	"strconv"

	"github.com/dustin/go-humanize"

	"weir/shared/command"
)

// byteSize is a flag's number of bytes: 200GB, 64GiB, 1000000.
type byteSize struct{ n *int64 }

func (b byteSize) String() string {
	if b.n == nil || *b.n == 0 {
		return ""
	}
	return strconv.FormatInt(*b.n, 10)
}

func (b byteSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return command.Usage("%q is no size, such as 200GB", text)
	}
	*b.n = int64(n)
	return nil
}

func (b byteSize) Type() string { return "size" }
