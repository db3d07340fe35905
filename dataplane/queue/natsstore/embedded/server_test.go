package embedded_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"weir/dataplane/queue/natsstore/embedded"
)

// A start on a disk that others fill leaves the logs as large as they may be else, and
// never larger than their part of the disk.
func TestRoomIsTheMostThatAStartFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	room := func() int64 {
		s, err := embedded.Start(dir, slog.New(slog.DiscardHandler), func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
		return s.Room()
	}
	keep := func(n int64) {
		if err := os.WriteFile(filepath.Join(dir, "queue.room"), strconv.AppendInt(nil, n, 10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := room()
	keep(first / 10)
	if again := room(); again < first/2 {
		t.Errorf("%d bytes of room, kept from a start with less; the disk has %d", again, first)
	}
	keep(1 << 62)
	most := room()
	if most < first || most == 1<<62 {
		t.Errorf("%d bytes of room are more than the disk has, or less than the %d that are free", most, first)
	}
	if err := os.WriteFile(filepath.Join(dir, "queue.room"), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := room(); again < first/2 {
		t.Errorf("%d bytes of room after a damaged file, want about %d", again, first)
	}
}

// What others freed since the start is measured without another one.
func TestRoomGrowsWhenTheDiskGetsSome(t *testing.T) {
	t.Parallel()
	s, err := embedded.Start(t.TempDir(), slog.New(slog.DiscardHandler), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	first := s.Room()
	s.Shrink(first / 10)
	if err := s.Measure(); err != nil || s.Room() < first/2 {
		t.Errorf("%d bytes of room, %v; want about %d", s.Room(), err, first)
	}
	s.Shrink(1 << 60)
	if err := s.Measure(); err != nil || s.Room() != 1<<60 {
		t.Errorf("%d bytes of room, %v; want as many as before", s.Room(), err)
	}
}
