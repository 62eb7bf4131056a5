// Package pages reads the documentation as its readers do: which pages there are, what is code on them, and what they let
// people write and type, in its order. It runs nothing.
package pages

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// Page is one of the docs.
type Page struct {
	// File is its path from the top of the tree, as in docs/cli.md.
	File string
	Text string
}

// All are README.md and what is below docs, in the order of their names.
func All(tree string) ([]Page, error) {
	files := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(tree, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			path, err = filepath.Rel(tree, path)
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for pages: %w", err)
	}
	var all []Page
	for _, file := range files {
		p, err := Read(tree, file)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Read gives the page of a file, by its path from the top of the tree.
func Read(tree, file string) (Page, error) {
	content, err := os.ReadFile(filepath.Join(tree, file))
	if err != nil {
		return Page{}, fmt.Errorf("reading a page: %w", err)
	}
	return Page{File: file, Text: string(content)}, nil
}

// Blocks are the code blocks of a language; those within lists without their margin.
func (p Page) Blocks(language string) []string {
	var all []string
	for _, b := range p.parts() {
		if b.language == language {
			all = append(all, b.text)
		}
	}
	return all
}

// Prose is the page without its code.
func (p Page) Prose() string {
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(p.withoutBlocks(), "")
}

func (p Page) withoutBlocks() string {
	return regexp.MustCompile("(?s)\n *```.*?\n *```").ReplaceAllString(p.Text, "")
}

// Anchors are the names that headings can be linked by.
func (p Page) Anchors() map[string]bool {
	found := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(p.withoutBlocks(), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading[1], "$1"))
		for n, one := 1, name; ; n++ { // the second of a name has a number
			if !found[one] {
				found[one] = true
				break
			}
			one = fmt.Sprintf("%s-%d", name, n)
		}
	}
	return found
}

// part is a code block, and the heading above it.
type part struct {
	language, text, heading string
	number                  int
}

// parts are the code blocks of a page, in their order.
func (p Page) parts() []part {
	var all []part
	heading, margin, open := "", "", false
	for line := range strings.SplitSeq(p.Text, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case isFence && open:
			open = false
		case isFence:
			open, margin = true, line[:len(line)-len(fence)-len("```")]
			all = append(all, part{language: fence, heading: heading, number: len(all) + 1})
		case open:
			last := &all[len(all)-1]
			if last.text != "" {
				last.text += "\n"
			}
			last.text += strings.TrimPrefix(line, margin)
		case regexp.MustCompile(`^#+ `).MatchString(line):
			heading = strings.TrimLeft(line, "# ")
		}
	}
	return all
}
