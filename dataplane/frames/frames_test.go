package frames_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/dataplane/frames"
	"weir/shared/fault"
)

var format = frames.Format{Name: "note", Oldest: 2, Newest: 3, Sum: 1, Order: binary.BigEndian, Head: 6, Unknown: fault.Unavailable}

func sealed() []byte {
	frame := []byte{0, 0, 0, 0, 0, 7, 'a', 'b', 'c'}
	format.Seal(frame)
	return frame
}

func TestSealedFrameHasCRC32COfAllElse(t *testing.T) {
	t.Parallel()
	// CRC-32C of "123456789" is the check value e3069283 of the catalogue of CRCs.
	f := frames.Format{Name: "note", Oldest: '1', Newest: '1', Sum: 5, Order: binary.BigEndian, Head: 9, Unknown: fault.Invalid}
	frame := []byte("?2345\x00\x00\x00\x006789")
	f.Seal(frame)
	if want := "12345\xe3\x06\x92\x836789"; string(frame) != want {
		t.Errorf("Seal = %x, want %x", frame, want)
	}
	if got := frames.Sum(frames.Sum(0, []byte("12345")), []byte("6789")); got != 0xe3069283 {
		t.Errorf("Sum of 123456789 = %x, want e3069283", got)
	}
}

func TestCheckTakesWholeFramesOfKnownVersions(t *testing.T) {
	t.Parallel()
	good := sealed()
	if err := format.Check(good); err != nil {
		t.Fatalf("Check of a sealed frame: %v", err)
	}
	old := frames.Format{Name: "note", Oldest: 1, Newest: 2, Sum: 1, Order: binary.BigEndian, Head: 6}
	frame := bytes.Clone(good)
	old.Seal(frame)
	if err := format.Check(frame); err != nil {
		t.Errorf("Check of version 2: %v", err)
	}
	for version, want := range map[byte]fault.Kind{0: fault.Invalid, 1: fault.Unavailable, 4: fault.Unavailable, 255: fault.Unavailable} {
		frame := append([]byte{version}, good[1:]...)
		if err := format.Check(frame); err == nil || fault.KindOf(err) != want {
			t.Errorf("Check of version %d = %v, want %v", version, err, want)
		}
	}
}

func TestCheckRefusesDamage(t *testing.T) {
	t.Parallel()
	good := sealed()
	for i := 1; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if err := format.Check(bad); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("Check with byte %d changed = %v, want invalid", i, err)
		}
	}
	for n := range good {
		if err := format.Check(good[:n]); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("Check of the first %d bytes = %v, want invalid", n, err)
		}
	}
}

func TestPackedContentComesBack(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 1<<12)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, tc := range map[string]struct {
		body   []byte
		packed bool
	}{
		"nothing":             {nil, false},
		"what does not pack":  {noise, false},
		"what packs":          {bytes.Repeat([]byte("abc"), 1<<10), true},
		"what packs somewhat": {append(bytes.Repeat([]byte("abc"), 1<<10), noise...), true},
	} {
		for _, dst := range [][]byte{nil, []byte("head"), append(make([]byte, 0, 1<<16), "head"...)} {
			head := string(dst)
			out, packed := frames.Pack(dst, tc.body)
			got, ok := bytes.CutPrefix(out, []byte(head))
			if !ok || packed != tc.packed || packed && len(got) >= len(tc.body) {
				t.Fatalf("%s: Pack(%q) = %d bytes, %v, want fewer than %d after the head, %v", name, head, len(out), packed, len(tc.body), tc.packed)
			}
			if packed {
				plain, err := format.Unpack(got, len(tc.body))
				if err != nil {
					t.Fatalf("%s: Unpack: %v", name, err)
				}
				got = plain
			}
			if !bytes.Equal(got, tc.body) {
				t.Errorf("%s: what comes back differs", name)
			}
		}
	}
}

func TestUnpackRefusesDamageAndMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("abc"), 1<<10)
	good, _ := frames.Pack(nil, body)
	for name, tc := range map[string]struct {
		packed []byte
		most   int
	}{
		"one byte too many":     {good, len(body) - 1},
		"four gigabytes":        {[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 1 << 20},
		"no size":               {nil, 1 << 20},
		"a cut":                 {good[:len(good)-1], len(body)},
		"something at the back": {append(bytes.Clone(good), 0), len(body)},
	} {
		if _, err := format.Unpack(tc.packed, tc.most); err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "note") {
			t.Errorf("%s: Unpack = %v, want invalid that names the note", name, err)
		}
	}
}

func TestBuffersAboveTheirLimitAreNotKept(t *testing.T) {
	t.Parallel()
	pool := frames.Buffers{Most: 1 << 10}
	for _, size := range []int{10, 1 << 10, 1 << 11, 10} {
		buf := pool.Get()
		if len(*buf) != 0 || cap(*buf) > pool.Most {
			t.Fatalf("Get = a buffer with %d bytes of %d, want 0 of at most %d", len(*buf), cap(*buf), pool.Most)
		}
		pool.Put(buf, append(*buf, make([]byte, size)...))
	}
}
