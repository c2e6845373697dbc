//! How much to think, in the words of the Anthropic model at hand.
//!
//! `thinking` and `output_config` that the client sent itself go on as they stand. Everything else
//! is mapped by the model's class; a budget always stays under the output limit.

use crate::chat::member::Member;
use crate::chat::request::{Block, Display, Effort, Request, Role, ThinkingMode, ToolChoice};
use crate::translate::adapt::fit::{Fit, value_of};
use crate::translate::models::Thinking;

/// Fits `request.reasoning`. `limited`: the client itself named an output limit.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>, limited: bool) {
    let reasoning = &mut request.reasoning;
    let switched = reasoning.mode == Some(ThinkingMode::Enabled) && reasoning.budget.is_none();
    if switched && !reasoning.native {
        // DeepSeek's switch, which names no budget: the level decides.
        reasoning.thinking = None;
        reasoning.mode = None;
        let effort = reasoning.effort.take();
        let effort = effort.filter(|effort| *effort != Effort::None);
        by_effort(fit, request, effort.unwrap_or(Effort::Medium), limited);
    } else if reasoning.thinking.is_some() {
        if !reasoning.native && reasoning.effort.take().is_some() {
            fit.notes.dropped(Member::Effort);
        }
    } else if let Some(budget) = reasoning.budget.take() {
        by_budget(fit, request, budget, limited);
    } else if !request.reasoning.native
        && let Some(effort) = request.reasoning.effort.take()
    {
        by_effort(fit, request, effort, limited);
    }
    give_way(fit, request);
}

fn by_budget(fit: &mut Fit<'_>, request: &mut Request<'_>, budget: u64, limited: bool) {
    request.reasoning.effort = None;
    match fit.facts.thinks_by() {
        Thinking::None => fit.notes.dropped(Member::ReasoningBudget),
        Thinking::Budget => enable(fit, request, budget, limited, Member::ReasoningBudget),
        Thinking::AdaptiveOff | Thinking::AdaptiveOn | Thinking::Always => {
            fit.notes.changed(Member::ReasoningBudget);
            adapt(fit, request, effort_of(budget));
        }
    }
}

fn by_effort(fit: &mut Fit<'_>, request: &mut Request<'_>, effort: Effort, limited: bool) {
    match (fit.facts.thinks_by(), effort) {
        (Thinking::None | Thinking::Budget | Thinking::AdaptiveOff, Effort::None) => {}
        (Thinking::None, _) => fit.notes.dropped(Member::Effort),
        (Thinking::AdaptiveOn, Effort::None) => {
            request.reasoning.mode = Some(ThinkingMode::Disabled);
        }
        (Thinking::Always, Effort::None) => {
            request.reasoning.effort = Some(Effort::Low);
            fit.notes.changed(Member::Effort);
        }
        (Thinking::Budget, _) => {
            enable(fit, request, budget_of(effort), limited, Member::Effort);
            if request.reasoning.mode.is_some() {
                request.reasoning.effort = nearest(fit, effort);
            }
        }
        (Thinking::AdaptiveOff | Thinking::AdaptiveOn | Thinking::Always, _) => {
            adapt(fit, request, effort);
        }
    }
}

fn adapt(fit: &mut Fit<'_>, request: &mut Request<'_>, effort: Effort) {
    request.reasoning.effort = nearest(fit, effort);
    request.reasoning.mode = Some(ThinkingMode::Adaptive);
    let omitted = request.reasoning.hidden || fit.hints.reasoning == Some(b"none");
    request.reasoning.display = Some(match omitted {
        true => Display::Omitted,
        false => Display::Summarized,
    });
}

/// The level as the model takes it; `minimal` is `low` everywhere.
fn nearest(fit: &mut Fit<'_>, effort: Effort) -> Option<Effort> {
    let wanted = effort.max(Effort::Low);
    let level = fit.facts.efforts.nearest(wanted);
    if level.is_some_and(|level| level != wanted) {
        fit.notes.changed(Member::Effort);
    }
    level
}

/// Manual thinking within the output limit; too small a limit leaves no room for it.
fn enable(
    fit: &mut Fit<'_>,
    request: &mut Request<'_>,
    budget: u64,
    limited: bool,
    member: Member,
) {
    let limit = request.max_tokens.unwrap_or_default();
    if limit <= BUDGET_MIN {
        fit.notes.dropped(member);
        return;
    }
    let room = budget.clamp(BUDGET_MIN, limit - 1);
    if room < budget && limited {
        fit.notes.changed(member);
    }
    request.reasoning.mode = Some(ThinkingMode::Enabled);
    request.reasoning.budget = Some(room);
}

/// Thinking is refused together with sampling; the manual one with forced tools as well, and with a
/// tool loop whose thinking blocks the client has lost.
fn give_way(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    match request.reasoning.mode {
        Some(ThinkingMode::Enabled) => {}
        Some(ThinkingMode::Adaptive) => return sampling(fit, request),
        Some(ThinkingMode::Disabled | ThinkingMode::BetweenTools) | None => return,
    }
    let own = request.reasoning.thinking.is_some();
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Any | ToolChoice::Tool(_))
    );
    if forced {
        fit.notes.dropped(match own {
            true => Member::Thinking,
            false => Member::Effort,
        });
        return off(request);
    }
    if lost_thinking(request) {
        fit.notes.changed(Member::Thinking);
        return off(request);
    }
    sampling(fit, request);
}

fn sampling(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    if request
        .temperature
        .is_some_and(|digits| value_of(digits) != 1.0)
    {
        request.temperature = None;
        fit.notes.dropped(Member::Temperature);
    }
    if request.top_k.take().is_some() {
        fit.notes.dropped(Member::TopK);
    }
    if request
        .top_p
        .take_if(|digits| value_of(digits) < TOP_P_MIN)
        .is_some()
    {
        fit.notes.dropped(Member::TopP);
    }
}

fn off(request: &mut Request<'_>) {
    let reasoning = &mut request.reasoning;
    reasoning.thinking = None;
    reasoning.mode = None;
    reasoning.budget = None;
    if !reasoning.native {
        reasoning.effort = None;
    }
}

/// Whether the conversation stands in a tool loop whose last assistant turn has no thinking.
fn lost_thinking(request: &Request<'_>) -> bool {
    let mut turns = request.messages.iter().rev();
    let Some(last) = turns.find(|message| message.role == Role::Assistant) else {
        return false;
    };
    last.has_calls() && !last.blocks.iter().any(Block::is_thinking)
}

const fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1024,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16_384,
        Effort::Xhigh => 24_576,
        Effort::Max => 32_768,
    }
}

/// The level that a budget stands for.
#[must_use]
pub const fn effort_of(budget: u64) -> Effort {
    match budget {
        0..2048 => Effort::Low,
        2048..8192 => Effort::Medium,
        8192..24_576 => Effort::High,
        _ => Effort::Xhigh,
    }
}

/// Least `top_p` that is taken beside thinking.
const TOP_P_MIN: f64 = 0.95;
/// Least budget that the API takes.
const BUDGET_MIN: u64 = 1024;
