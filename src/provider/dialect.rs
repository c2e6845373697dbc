//! Quirk flags by name, for the configuration.

use crate::wire::kind::Dialect;

/// A flag of a dialect, to be set.
#[derive(Debug)]
pub enum Flag<'d> {
    /// Yes or no.
    Switch(&'d mut bool),
    /// A number.
    Number(&'d mut u32),
}

/// Name and place of every flag. Taken apart in full: a new one finds this line.
pub fn flags(dialect: &mut Dialect) -> Vec<(&'static str, Flag<'_>)> {
    use Flag::{Number, Switch};
    let Dialect {
        max_completion_tokens,
        developer_role,
        late_system,
        user_after_tool,
        assistant_prefix,
        array_content,
        files,
        images,
        images_in_tool_messages,
        strips_reasoning,
        reasoning_content_back,
        reasoning_details_back,
        thought_signatures,
        cache_control,
        stream_usage,
        top_k,
        reasoning_effort,
        web_search_options,
        json_schema,
        safety_identifier,
        repeated_roles,
        tool_id_bytes_max,
        stop_max,
        url_sources,
        tool_choice_any,
    } = dialect;
    vec![
        ("max_completion_tokens", Switch(max_completion_tokens)),
        ("developer_role", Switch(developer_role)),
        ("late_system", Switch(late_system)),
        ("user_after_tool", Switch(user_after_tool)),
        ("assistant_prefix", Switch(assistant_prefix)),
        ("array_content", Switch(array_content)),
        ("files", Switch(files)),
        ("images", Switch(images)),
        ("images_in_tool_messages", Switch(images_in_tool_messages)),
        ("strips_reasoning", Switch(strips_reasoning)),
        ("reasoning_content_back", Switch(reasoning_content_back)),
        ("reasoning_details_back", Switch(reasoning_details_back)),
        ("thought_signatures", Switch(thought_signatures)),
        ("cache_control", Switch(cache_control)),
        ("stream_usage", Switch(stream_usage)),
        ("top_k", Switch(top_k)),
        ("reasoning_effort", Switch(reasoning_effort)),
        ("web_search_options", Switch(web_search_options)),
        ("json_schema", Switch(json_schema)),
        ("safety_identifier", Switch(safety_identifier)),
        ("repeated_roles", Switch(repeated_roles)),
        ("tool_id_bytes_max", Number(tool_id_bytes_max)),
        ("stop_max", Number(stop_max)),
        ("url_sources", Switch(url_sources)),
        ("tool_choice_any", Switch(tool_choice_any)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Flag, flags};
    use crate::wire::kind::Dialect;

    #[test]
    fn flags_are_every_field_of_the_dialect_and_set_their_own() {
        let printed = format!("{:?}", Dialect::default());
        let body = printed.strip_prefix("Dialect { ").unwrap();
        let fields = body
            .split(", ")
            .map(|field| field.split_once(':').unwrap().0);
        let names: Vec<&str> = fields.collect();
        let listed = flags(&mut Dialect::default()).len();
        assert_eq!(listed, names.len());
        for (index, name) in names.into_iter().enumerate() {
            let mut dialect = Dialect::default();
            let (found, flag) = flags(&mut dialect).swap_remove(index);
            assert_eq!(found, name);
            let expected = match flag {
                Flag::Switch(switch) => {
                    *switch = !*switch;
                    format!("{name}: {switch}")
                }
                Flag::Number(number) => {
                    *number = 7777;
                    format!("{name}: 7777")
                }
            };
            assert!(format!("{dialect:?}").contains(&expected), "{expected}");
        }
    }
}
