#Requires -Version 5.1
<#
.SYNOPSIS
Make the environment .venv with the packages that requirements.lock pins, as `make .venv` does.

.DESCRIPTION
Needs Python 3.11 and git, the package index of pip, and 4 GB of disk. Nothing outside the folder of
this repository is changed. A second run installs nothing unless requirements.lock has changed.

.PARAMETER Python
The Python 3.11 to use: a path or a name. By default the launcher `py -3.11`, then python3.11,
python3 and python.

.EXAMPLE
powershell -NoProfile -ExecutionPolicy Bypass -File scripts\setup_env.ps1

.EXAMPLE
powershell -NoProfile -File scripts\setup_env.ps1 -Python C:\Python311\python.exe
#>
[CmdletBinding()]
param(
    [string] $Python = ''
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Wanted = '3.11'
$Top = Split-Path -Parent $PSScriptRoot
$Venv = Join-Path $Top '.venv'
$Lock = Join-Path $Top 'requirements.lock'
$Marker = Join-Path $Venv '.installed'
# $IsWindows does not exist in Windows PowerShell 5.1, where strict mode refuses its name.
$OnWindows = [System.IO.Path]::DirectorySeparatorChar -eq '\'

function Stop-Setup {
    # Print one sentence with the way out, and end with a code that a task or a workflow notices.
    param([string] $Message)
    [Console]::Error.WriteLine("error: $Message")
    exit 1
}

function Get-PythonVersion {
    # Return the version of a Python, for example 3.11, or nothing if it does not run.
    param([string] $Program, [string[]] $Options)
    if (-not (Get-Command -Name $Program -CommandType Application -ErrorAction SilentlyContinue)) {
        return ''
    }
    # On Windows a name without an installation opens the shop, and prints no version.
    $code = "import sys; print('%d.%d' % sys.version_info[:2])"
    $lines = @(& $Program @Options -c $code)
    if ($LASTEXITCODE -ne 0 -or $lines.Count -ne 1) {
        return ''
    }
    return [string] $lines[0]
}

function Find-Python {
    # Return the first Python of the wanted version: the program, then its options.
    $candidates = @(, @('py', "-$Wanted"))
    foreach ($name in @("python$Wanted", 'python3', 'python')) {
        $candidates += , @($name)
    }
    if ($Python) {
        $candidates = @(, @($Python))
    }
    foreach ($candidate in $candidates) {
        $options = @($candidate | Select-Object -Skip 1)
        if ((Get-PythonVersion -Program $candidate[0] -Options $options) -eq $Wanted) {
            return , $candidate
        }
    }
    $tried = ($candidates | ForEach-Object { $_ -join ' ' }) -join ', '
    Stop-Setup ("python $Wanted is needed and none of these is one: $tried; install it from " +
        "python.org or with 'winget install Python.Python.$Wanted', or name it with -Python")
}

function Invoke-Checked {
    # Run a program of the environment; end with a sentence if it fails.
    param([string] $Program, [string[]] $Options, [string] $Advice)
    & $Program @Options
    if ($LASTEXITCODE -ne 0) {
        Stop-Setup "'$Program $($Options -join ' ')' ended with $LASTEXITCODE; $Advice"
    }
}

if (-not (Test-Path -LiteralPath $Lock -PathType Leaf)) {
    Stop-Setup "${Lock}: no such file; run the script of a complete clone"
}
if (-not (Get-Command -Name 'git' -CommandType Application -ErrorAction SilentlyContinue)) {
    Stop-Setup "git is not on PATH and dvc needs it; install it from git-scm.com or with 'winget install Git.Git'"
}

$bin = if ($OnWindows) { Join-Path $Venv 'Scripts' } else { Join-Path $Venv 'bin' }
$venvPython = Join-Path $bin $(if ($OnWindows) { 'python.exe' } else { 'python' })
if (-not (Test-Path -LiteralPath $venvPython -PathType Leaf)) {
    $found = Find-Python
    $options = @($found | Select-Object -Skip 1) + @('-m', 'venv', $Venv)
    Invoke-Checked -Program $found[0] -Options $options -Advice "remove $Venv and run this again"
}
$version = Get-PythonVersion -Program $venvPython -Options @()
if ($version -ne $Wanted) {
    Stop-Setup "$Venv has python '$version' and python $Wanted is needed; remove that folder and run this again"
}

$fresh = (Test-Path -LiteralPath $Marker -PathType Leaf) -and
    ((Get-Item -LiteralPath $Marker).LastWriteTimeUtc -ge (Get-Item -LiteralPath $Lock).LastWriteTimeUtc)
if (-not $fresh) {
    Write-Output "installing the packages of requirements.lock into ${Venv}: several minutes"
    $install = @('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', $Lock)
    Invoke-Checked -Program $venvPython -Options $install -Advice (
        'the lines above name the package; check the connection, or on Windows allow paths of more than 260 characters')
}

# What every stage needs. A package without its system library fails here and not after an hour.
Invoke-Checked -Program $venvPython -Options @('-c', 'import dvc, numpy, onnxruntime, soundfile, torch') -Advice (
    'on Windows these need the Visual C++ runtime: winget install Microsoft.VCRedist.2015+.x64')
Invoke-Checked -Program $venvPython -Options @('-m', 'dvc', 'version') -Advice 'remove .venv and run this again'
New-Item -ItemType File -Path $Marker -Force | Out-Null

$activate = if ($OnWindows) { '.venv\Scripts\Activate.ps1' } else { '. .venv/bin/activate' }
Write-Output ''
Write-Output 'The environment is ready. In each new window, at the top of the repository:'
Write-Output "    $activate"
Write-Output '    dvc repro'
if ($OnWindows) {
    Write-Output 'If PowerShell refuses to run Activate.ps1: scripts\enable-pwsh-allow.ps1, or Scripts\activate.bat in cmd.'
}
