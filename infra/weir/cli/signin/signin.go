// Package signin signs a person in to a control plane through a browser, which may be on
// another machine.
//
// It opens a browser where somebody sits before one, and nothing but addresses of HTTP.
package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/command"
	"weir/shared/delay"
	"weir/shared/fault"
)

// Browser signs in through a browser, which it opens where open says so and there is one.
// device says where this program runs, and names its token.
//
// fault.Denied: the person refused. fault.Missing: nobody allowed it in time, or the control
// plane does not sign people in this way.
func Browser(ctx context.Context, k *console.Console, control, device string, open bool) (accounts.Granted, error) {
	c, err := remote.NewControl(control, "")
	if err != nil {
		return accounts.Granted{}, err
	}
	begun, err := accounts.BeginLogin(ctx, c, device)
	if err != nil && fault.KindOf(err) == fault.Missing {
		return accounts.Granted{}, fault.New(fault.Missing, "the control plane at %s signs nobody in through a browser; give --email to sign in with a password", control)
	}
	if err != nil {
		return accounts.Granted{}, err
	}
	page, err := url.Parse(begun.VerificationURIComplete)
	if err != nil || page.Scheme != "http" && page.Scheme != "https" || page.Host == "" {
		return accounts.Granted{}, fault.New(fault.Unavailable, "the control plane at %s names no page to sign in at; check that the address is a control plane's", control)
	}
	opened := open && openBrowser(k, page.String())
	way := "Open this address in a browser"
	if opened {
		way = "A browser opens at this address"
	}
	k.Note("%s, and allow the sign-in if it shows the code %s:\n\n  %s\n", way, command.Clean(begun.UserCode), command.Clean(page.String()))
	k.Note("Waiting for %d minutes; ctrl-c stops.", int(time.Duration(begun.ExpiresIn)*time.Second/time.Minute))
	return accounts.AwaitLogin(ctx, c, begun, delay.For)
}

// openBrowser starts the browser that BROWSER names, else the desktop's own where somebody
// sits before it. It reports whether one was started.
func openBrowser(k *console.Console, address string) bool {
	name, args := "xdg-open", []string{address}
	switch own, _ := k.Env("BROWSER"); {
	case own != "":
		name, _, _ = strings.Cut(own, ":")
	case !k.Asks():
		return false
	case runtime.GOOS == "darwin":
		name = "open"
	case runtime.GOOS == "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	default:
		x, _ := k.Env("DISPLAY")
		wayland, _ := k.Env("WAYLAND_DISPLAY")
		if x == "" && wayland == "" {
			return false
		}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return false
	}
	_ = cmd.Process.Release() // it goes on without this program
	return true
}

// longestDevice is how many bytes the control plane takes.
const longestDevice = 80

// Device says where this program runs, for a context, the same whenever it is asked:
// printable ASCII of 80 bytes at most.
func Device(user, host, context string) string {
	text := fmt.Sprintf("%s@%s, context %s", user, host, context)
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, text)
	if clean == text && len(text) <= longestDevice {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return clean[:min(len(clean), longestDevice-9)] + " " + hex.EncodeToString(sum[:4])
}
