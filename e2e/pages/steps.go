package pages

import (
	"regexp"
	"strings"
)

// Step is one thing that a page lets a reader do: type a command, or write a file.
type Step struct {
	// Page is its file, Heading the nearest above without its signs, and Block the number of the code block on the page,
	// from 1.
	Page, Heading string
	Block         int
	// Command is what is typed: a line with those that continue it, or a loop to its end. It is empty where a file is
	// written.
	Command string
	// File is where a block of YAML goes whose first line says so in a comment, and Content all of that block.
	File, Content string
}

func (s Step) String() string {
	what := s.Command
	if what == "" {
		what = "write " + s.File
	}
	return s.Page + ", " + s.Heading + ": " + what
}

// Steps are those of a page, in its order: each command of a block of sh, each behind a prompt in any other, and each
// block that is a file of the reader's.
func (p Page) Steps() []Step {
	var all []Step
	for _, b := range p.parts() {
		at := Step{Page: p.File, Heading: b.heading, Block: b.number}
		typed := []string{}
		switch b.language {
		case "sh":
			typed = commands(b.text)
		case "yaml":
			if named := regexp.MustCompile(`^# (\S+\.yaml)\n`).FindStringSubmatch(b.text); named != nil {
				file := at
				file.File, file.Content = named[1], b.text+"\n"
				all = append(all, file)
			}
		default:
			for _, prompted := range regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllStringSubmatch(b.text, -1) {
				typed = append(typed, prompted[1])
			}
		}
		for _, command := range typed {
			one := at
			one.Command = command
			all = append(all, one)
		}
	}
	return all
}

// commands are those of a block: lines that are continued are one, and so is a loop.
func commands(block string) []string {
	var all []string
	open := false
	for line := range strings.SplitSeq(regexp.MustCompile(`\\\n\s*`).ReplaceAllString(block, ""), "\n") {
		switch {
		case open:
			all[len(all)-1] += "\n" + line
			open = line != "done"
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#"):
			all = append(all, strings.TrimSpace(line))
			open = strings.HasPrefix(line, "for ")
		}
	}
	return all
}
