package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/cli"
)

// TestCommands: what the docs let people type can be typed. Commands of `kubectl weir` parse; flags of kubectl and Helm are
// known to those; targets of make, packages, tests and flags of Go, and files and folders are there.
func TestCommands(t *testing.T) {
	c := newChecker(t)
	for _, p := range allPages(t) {
		for _, line := range typedLines(p) {
			for _, words := range commands(t, p.File, line) {
				if err := c.check(words); err != nil {
					t.Errorf("%s: %s: %s", p.File, line, err)
				}
			}
		}
		// In a sentence a command may lack its arguments.
		for _, said := range regexp.MustCompile("`kubectl weir ([a-z][^`]*)`").FindAllStringSubmatch(p.Text, -1) {
			words, err := shellwords.Parse(said[1])
			require.NoError(t, err, "%s: %s", p.File, said[0])
			if _, err := weir(words); err != nil {
				t.Errorf("%s: %s: %s", p.File, said[0], err)
			}
		}
	}
	for _, program := range []string{"make", "go", "kubectl", "weir", "helm"} {
		assert.Positive(t, c.checked[program], program)
	}
	assert.Greater(t, c.checked["kubectl"], 150)
	assert.Greater(t, c.checked["weir"], 40)
}

// TestCommandsBite shows the checks what they have to refuse, and what they may not.
func TestCommandsBite(t *testing.T) {
	c := newChecker(t)
	for line, refused := range map[string]bool{
		"make demo":       false,
		"make everything": true,
		"go test ./e2e/seen -run TestTable -rewrite":     false,
		"go test ./e2e/seen -run TestNothing":            true,
		"go test ./e2e/nowhere":                          true,
		"go test ./pkg/words -rewrite":                   true,
		"go run ./e2e/demo -keep":                        false,
		"go run ./e2e/demo -never":                       true,
		"kubectl get canary podinfo --watch":             false,
		"kubectl get canary podinfo --look":              true,
		"kubectl create secret generic a --from-tar=b":   true,
		"kubectl gaze":                                   true,
		"make -C weir demo":                              false,
		"make -C elsewhere demo":                         true,
		"go -C weir run ./e2e/demo -never":               true,
		"kubectl apply -k weir/kustomize/istio":          false,
		"kubectl apply -k weir/kustomize/nowhere":        true,
		"kubectl apply -k kustomize/istio":               true,
		"kubectl weir status podinfo --wait":             false,
		"kubectl weir status podinfo --wait-for-ever":    true,
		"kubectl weir approve podinfo":                   true,
		"kubectl weir gaze podinfo":                      true,
		"helm upgrade weir weir/charts/weir --reuse-all": true,
		"A=b kubectl get pods | kubectl gaze":            true,
		"for s in a b; do":                               false,
	} {
		var err error
		for _, words := range commands(t, "", line) {
			if one := c.check(words); one != nil {
				err = one
			}
		}
		assert.Equal(t, refused, err != nil, "%s: %v", line, err)
	}
}

// typedLines are those of a page that people type.
func typedLines(p pages.Page) []string {
	var lines []string
	for _, step := range p.Steps() {
		lines = append(lines, strings.Split(step.Command, "\n")...)
	}
	return lines
}

// commands are the words of each command of a line, without what a shell makes of it.
func commands(t *testing.T, file, line string) [][]string {
	t.Helper()
	line = regexp.MustCompile(`(^|\s)#\s.*$`).ReplaceAllString(line, "")
	var all [][]string
	for rest := line; strings.TrimSpace(rest) != ""; {
		parser := shellwords.NewParser()
		words, err := parser.Parse(rest)
		require.NoError(t, err, "%s: %s", file, line)
		for len(words) > 0 && (slices.Contains([]string{"do", "sudo", "then"}, words[0]) ||
			regexp.MustCompile(`^\w+=`).MatchString(words[0])) {
			words = words[1:]
		}
		if len(words) > 0 {
			all = append(all, words)
		}
		if parser.Position < 0 || parser.Position+1 >= len(rest) {
			break
		}
		rest = strings.TrimLeft(rest[parser.Position:], "|&;<> ")
	}
	return all
}

// checker knows what can be typed.
type checker struct {
	makefile string
	programs map[string]string   // by name, where they are
	flags    map[string][]string // of a command of such a program, by its words
	checked  map[string]int
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	kubectl, err := sandbox.Kubectl(t.Context(), io.Discard)
	require.NoError(t, err)
	helm, err := sandbox.Helm(t.Context(), io.Discard)
	require.NoError(t, err)
	return &checker{
		makefile: string(makefile), programs: map[string]string{"kubectl": kubectl, "helm": helm},
		flags: map[string][]string{}, checked: map[string]int{},
	}
}

func (c *checker) check(words []string) error {
	program, rest := words[0], words[1:]
	if program == "kubectl" && len(rest) > 0 && rest[0] == "weir" {
		program, rest = "weir", rest[1:]
	}
	c.checked[program]++
	if (program == "make" || program == "go") && len(rest) > 1 && rest[0] == "-C" {
		if rest[1] != "weir" {
			return fmt.Errorf("there is no checkout %s", rest[1])
		}
		rest = rest[2:]
	}
	switch program {
	case "make":
		if len(rest) > 0 && !strings.Contains(c.makefile, "\n"+rest[0]+":") {
			return fmt.Errorf("there is no target %s", rest[0])
		}
	case "go":
		return goes(rest)
	case "weir":
		args, err := weir(rest)
		if err == nil {
			err = args()
		}
		return err
	case "kubectl", "helm":
		return c.known(program, rest)
	}
	return nil
}

// weir parses a command of kubectl weir, by its own tree. What it gives says whether the arguments are as many as they
// have to be.
func weir(words []string) (args func() error, err error) {
	command, rest, err := cli.Command(cli.Terminal{Now: time.Now}).Find(words)
	if err != nil {
		return nil, err
	}
	if !command.Runnable() {
		return nil, fmt.Errorf("%s is no command by itself", command.CommandPath())
	}
	if err := command.ParseFlags(rest); err != nil {
		return nil, err
	}
	return func() error { return command.ValidateArgs(command.Flags().Args()) }, nil
}

// known says whether a program has a command, its flags, and the files of the tree that it is given.
func (c *checker) known(program string, words []string) error {
	var plain, flags []string
	for i, word := range words {
		name, _, _ := strings.Cut(word, "=")
		switch {
		case word == "--": // what follows is another program's
			return nil
		case strings.HasPrefix(word, "-") && len(word) > 1:
			flags = append(flags, name)
		case i > 0 && slices.Contains([]string{"-n", "--namespace", "-c"}, words[i-1]):
		default:
			plain = append(plain, word)
		}
		if strings.HasPrefix(word, "kustomize/") || strings.HasPrefix(word, "artifacts/") {
			return fmt.Errorf("%s is typed beside the checkout, where it is weir/%s", word, word)
		}
		if within, ok := strings.CutPrefix(word, "weir/"); ok { // the checkout beside which all is typed
			if _, err := os.Stat(filepath.Join("..", within)); err != nil {
				return err
			}
		}
	}
	has, err := c.help(program, plain)
	if err != nil {
		return err
	}
	for _, flag := range flags {
		if !slices.Contains(has, flag) && !regexp.MustCompile(`^-[a-zA-Z]\S`).MatchString(flag) {
			return fmt.Errorf("%s has no flag %s", program, flag)
		}
	}
	return nil
}

// help are the flags of a command, by what the program says of itself.
func (c *checker) help(program string, words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	words = words[:min(len(words), 3)]
	if !slices.Contains([]string{"create", "rollout", "set", "auth"}, words[0]) {
		words = words[:1]
	}
	key := program + " " + strings.Join(words, " ")
	if flags, ok := c.flags[key]; ok {
		return flags, nil
	}
	said, err := exec.Command(c.programs[program], append(slices.Clone(words), "--help")...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", key, err, said)
	}
	if program == "kubectl" { // those that all commands have
		all, err := exec.Command(c.programs[program], "options").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("kubectl options: %w: %s", err, all)
		}
		said = append(said, all...)
	}
	var flags []string
	for _, found := range regexp.MustCompile(`(?m)^\s+(?:(-\w), )?(--[a-z-]+)`).FindAllStringSubmatch(string(said), -1) {
		flags = append(flags, found[1:]...)
	}
	c.flags[key] = flags
	return flags, nil
}

// goes says whether packages, tests and flags of a command of Go are there.
func goes(words []string) error {
	var code string
	for _, word := range words {
		if !strings.HasPrefix(word, "./") {
			continue
		}
		folder := filepath.Join("..", strings.TrimSuffix(word, "/..."))
		if _, err := os.Stat(folder); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			code += string(text)
		}
	}
	for i, word := range words {
		flag, ok := strings.CutPrefix(word, "-")
		if !ok {
			continue
		}
		flag, _, _ = strings.Cut(flag, "=")
		switch flag {
		case "run", "bench":
			if err := matches(code, words[i+1]); err != nil {
				return err
			}
		case "v", "race", "count", "benchmem", "timeout", "p", "parallel":
		default:
			if !regexp.MustCompile(`\w+\.(Bool|String|Int|Duration|Float64)(Var)?\([^"\n]*"` + flag + `"`).MatchString(code) {
				return fmt.Errorf("there is no flag -%s", flag)
			}
		}
	}
	return nil
}

// matches says whether there is a test or a benchmark that a pattern is meant for.
func matches(code, pattern string) error {
	if pattern == "^$" { // none is meant
		return nil
	}
	first, _, _ := strings.Cut(pattern, "/")
	compiled, err := regexp.Compile(first)
	if err != nil {
		return err
	}
	for _, found := range regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w*)\(`).FindAllStringSubmatch(code, -1) {
		if compiled.MatchString(found[1]) {
			return nil
		}
	}
	return fmt.Errorf("there is no test %s", pattern)
}
