package own

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/fault"
)

// Read returns the texts of the files of Rego at path by their names: of one file, or of a
// folder.
func Read(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(path, "*.rego")); err != nil {
			return nil, err
		}
	}
	files := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(name)] = string(text)
	}
	return files, nil
}

// Load reads the policies at path, a file or a folder, empty for none: each *.rego file is
// one, named as the file, and *_test.rego are its tests. It checks them.
//
// fault.Invalid: one is broken, cannot be read, or there is none.
func Load(ctx context.Context, j *Judge, path string) ([]Policy, error) {
	if path == "" {
		return nil, nil
	}
	files, err := Read(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the policies cannot be read: %v", err)
	}
	var out []Policy
	var wrong []error
	for _, name := range sorted(files) {
		if strings.HasSuffix(name, testSuffix) {
			continue
		}
		p := Policy{Name: strings.TrimSuffix(name, ".rego"), Text: files[name]}
		problems, err := j.Check(ctx, "", p)
		if err != nil {
			return nil, fmt.Errorf("check the policy %s: %w", p.Name, err)
		}
		for _, problem := range problems {
			wrong = append(wrong, fault.New(fault.Invalid, "the policy %s is broken: %s: %s", name, problem.Path, problem.Text))
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		wrong = append(wrong, fault.New(fault.Invalid, "there is no policy, NAME.rego, at %s", path))
	}
	return out, errors.Join(wrong...)
}
