package page

import (
	"context"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// steerPart is what a visitor can order, or why nothing.
type steerPart struct {
	Path, Run, CSRF string
	Orders          []orderPart
	// Why there is nothing to order; empty where there is.
	Why string
}

type orderPart struct {
	Verb, Gate, Label, Meaning string
	Full, NeedsReason          bool
}

func (p *Page) steerPart(ctx context.Context, v visitor, c *v1beta1.Canary) (steerPart, error) {
	s := steerPart{Path: pathOf(keyOf(c)), Run: runOf(c), CSRF: v.csrf()}
	switch {
	case !p.options.Commands:
		s.Why = "Commands are off on this page. kubectl weir gives them."
		return s, nil
	case !v.known():
		s.Why = "Log in to give commands."
		return s, nil
	}
	yes, err := p.access.may(ctx, v, false, "patch", c.Namespace, c.Name)
	if err != nil {
		return s, err
	}
	if !yes {
		s.Why = v.user.Username + " may not patch this Canary, which a command takes."
		return s, nil
	}
	for _, o := range words.Orders(c) {
		command := o.Command
		label := words.Verb(&v1beta1.CommandStatus{Verb: command.Verb, Gate: command.Gate})
		if command.Full {
			label += " in full"
		}
		s.Orders = append(s.Orders, orderPart{command.Verb, command.Gate, label, o.Meaning, command.Full, needsReason(command)})
	}
	if len(s.Orders) == 0 {
		s.Why = "There is nothing to order as it stands."
	}
	return s, nil
}
