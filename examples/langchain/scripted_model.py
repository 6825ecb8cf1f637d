"""A chat model that follows a script: the tool calls a model makes with the SQL toolkit, then an answer made of what the tools said."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

SCRIPT: list[tuple[str, dict[str, str]]] = [
    ("sql_db_list_tables", {"tool_input": ""}),
    ("sql_db_schema", {"table_names": "customers"}),
    ("sql_db_query", {"query": "SELECT id, name, email, ssn FROM customers WHERE id = 4711"}),
    ("sql_db_query", {"query": "DROP TABLE support_notes"}),
    ("sql_db_query", {"query": "SELECT count(*) FROM support_notes"}),
]


class ScriptedModel(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> "ScriptedModel":
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        said = [message for message in messages if isinstance(message, ToolMessage)]
        if len(said) < len(SCRIPT):
            name, arguments = SCRIPT[len(said)]
            message = AIMessage("", tool_calls=[{"id": f"call-{len(said)}", "name": name, "args": arguments}])
        else:
            row, refusal = str(said[2].content), str(said[3].content)
            denied = next((line for line in refusal.splitlines() if "sallyport:" in line), refusal)
            message = AIMessage(f"The row: {row}\nThe table is still there: {denied.strip()}")
        return ChatResult(generations=[ChatGeneration(message=message)])
