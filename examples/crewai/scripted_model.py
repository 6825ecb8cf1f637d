"""A model that follows a script: the statements each agent would try, then an answer made of what the database said."""

from typing import Any

from crewai import BaseLLM

SCRIPTS: dict[str, list[str]] = {
    "support": [
        "SELECT id, name, email, ssn FROM customers WHERE id = 4711",
        "UPDATE orders SET status = 'paid'",
        "UPDATE orders SET status = 'paid' WHERE id = 17",
    ],
    "analyst": [
        "SELECT status, count(*) FROM orders GROUP BY status ORDER BY status LIMIT 3",
        "SELECT email FROM customers",
    ],
}


class ScriptedModel(BaseLLM):
    def __init__(self, role: str) -> None:
        super().__init__(model=f"scripted-{role}")
        self._statements = SCRIPTS[role]
        self._turn = 0

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        turn = self._turn
        self._turn += 1
        if turn < len(self._statements):
            sql = self._statements[turn].replace('"', '\\"')
            return f'Thought: I ask the database.\nAction: query\nAction Input: {{"sql": "{sql}"}}'
        # What the tool said stands behind each "Observation:" of the conversation.
        said = str(messages if isinstance(messages, str) else [message.get("content") for message in messages])
        lines = [part.split("\\n\\n")[0].strip() for part in said.split("Observation:")[1:]]
        answers = [f"{sql}\n   {answer}" for sql, answer in zip(self._statements, lines[-len(self._statements) :])]
        return "Thought: I now know the final answer\nFinal Answer: " + "\n".join(answers)

    def supports_function_calling(self) -> bool:
        return False

    def supports_stop_words(self) -> bool:
        return False
