"""Two CrewAI agents on one database, each under an identity of its own. Nothing in here knows of Sallyport: the lines that change are the
two addresses, SUPPORT_DATABASE_URL and ANALYST_DATABASE_URL."""

import os

from crewai import LLM, Agent, Crew, Process, Task
from crewai.tools import BaseTool
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from scripted_model import ScriptedModel

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")


class QueryTool(BaseTool):
    name: str = "query"
    description: str = "Runs one SQL statement on the shop's PostgreSQL database and gives the first rows, or the error."
    engine: Engine

    model_config = {"arbitrary_types_allowed": True}

    def _run(self, sql: str) -> str:
        try:
            with self.engine.begin() as connection:
                result = connection.execute(text(sql))
                rows = result.fetchmany(5) if result.returns_rows else [(f"{result.rowcount} rows changed",)]
                return "\n".join(str(tuple(row)) for row in rows)
        except SQLAlchemyError as error:
            return f"error: {str(getattr(error, 'orig', error)).splitlines()[0]}"


def database(variable: str) -> Engine:
    # psycopg 3 is the driver; SQLAlchemy takes an older one for a plain postgresql://.
    return create_engine(os.environ[variable].replace("postgresql://", "postgresql+psycopg://", 1))


def model(role: str) -> object:
    # MODEL names one that CrewAI knows, e.g. openai/gpt-5; without it a script plays the model, so that no key is needed.
    return LLM(model=os.environ["MODEL"]) if "MODEL" in os.environ else ScriptedModel(role)


def agent(role: str, goal: str, variable: str) -> Agent:
    return Agent(
        role=role,
        goal=goal,
        backstory="You answer from the database and say what it refused.",
        llm=model(role),
        tools=[QueryTool(engine=database(variable))],
    )


def main() -> None:
    support = agent("support", "Help customers with their orders.", "SUPPORT_DATABASE_URL")
    analyst = agent("analyst", "Say how the shop is doing.", "ANALYST_DATABASE_URL")
    crew = Crew(
        agents=[support, analyst],
        tasks=[
            Task(
                description="Look customer 4711 up, and mark order 17 as paid.",
                expected_output="What you found and changed.",
                agent=support,
            ),
            Task(
                description="Count the orders by status, then list the customers' e-mail addresses.",
                expected_output="The counts, and what was refused.",
                agent=analyst,
            ),
        ],
        process=Process.sequential,
    )
    for output in crew.kickoff().tasks_output:
        print(f"== {output.agent}\n{output.raw}")


if __name__ == "__main__":
    main()
