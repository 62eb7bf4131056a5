package image_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-shellwords"

	"weir.dev/weir/e2e/sandbox/image"
)

// TestDockerfiles holds the Dockerfiles of the programs to what the image builder makes of them.
func TestDockerfiles(t *testing.T) {
	const tree = "../../../"
	for _, program := range []string{"weir", "weir-loadtester"} {
		t.Run(program, func(t *testing.T) {
			dir := t.TempDir()
			binary, file := filepath.Join(dir, program), filepath.Join(dir, "image.tar")
			if err := os.WriteFile(binary, []byte("not really a program"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := (image.Image{Tags: []string{"some:1"}, Binary: binary}).Write(file); err != nil {
				t.Fatal(err)
			}
			made, err := read(t, file, "some:1").ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			entry, err := json.Marshal(made.Config.Entrypoint)
			if err != nil {
				t.Fatal(err)
			}
			lines := dockerfile(t, tree+"cmd/"+program+"/Dockerfile")
			last := lines[slices.Index(lines, "FROM scratch"):]
			want := []string{"FROM scratch", "COPY --from=build /image/ /", "ENV " + made.Config.Env[0],
				"WORKDIR " + made.Config.WorkingDir, "USER " + made.Config.User, "ENTRYPOINT " + string(entry)}
			if !slices.Equal(last, want) {
				t.Errorf("the image is\n%s\nwant\n%s", strings.Join(last, "\n"), strings.Join(want, "\n"))
			}
			if want := "FROM golang:" + goVersion(t, tree+"go.mod") + " AS build"; lines[0] != want {
				t.Errorf("it begins %q, want %q", lines[0], want)
			}
			environment, words := image.Command("./cmd/"+program, "/image/"+program)
			for _, run := range []([]string){{"mkdir", "-p", "-m", "1777", "/image/tmp"}, slices.Concat(environment, words)} {
				if !slices.ContainsFunc(lines, func(line string) bool { return slices.Equal(ran(t, line), run) }) {
					t.Errorf("it does not run %q", run)
				}
			}
		})
	}
}

// dockerfile has its instructions, one a line.
func dockerfile(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// ran are the words of a RUN instruction.
func ran(t *testing.T, line string) []string {
	t.Helper()
	command, ok := strings.CutPrefix(line, "RUN ")
	if !ok {
		return nil
	}
	words, err := shellwords.Parse(command)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

// goVersion is that of a module, as in 1.26.
func goVersion(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			parts := strings.Split(version, ".")
			return strings.Join(parts[:2], ".")
		}
	}
	t.Fatal("go.mod names no Go")
	return ""
}
